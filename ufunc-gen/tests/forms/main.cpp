/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "shapes.hpp"

namespace {
struct secret { char letter; };
// shapes.cpp has another one of that name.
struct rival { int first; };
}

volatile int sink;

static __attribute__((noinline)) int count(secret *secret, rival &rival)
{
	return secret->letter + rival.first;
}

extern "C" int plain_c(box<int, 3> *ints, box<one::data, 2> *data)
{
	return ints->at(1) + data->at(0).only;
}

int main(int argc, char **)
{
	derived d(argc);
	secret s{'x'};
	rival r{argc};
	box<int, 3> ints{};
	box<one::data, 2> data{};
	either e{.i = argc};
	auto add = [&](int more) { return more + argc + e.whole(); };

	hidden_new(d, derived(2));
	d.set(3);
	return count(&s, r) + plain_c(&ints, &data) + add(sink) + d.twice();
}
