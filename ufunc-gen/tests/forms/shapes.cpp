/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "shapes.hpp"

class hidden { public: derived *made_of; decltype(nullptr) nothing; };
namespace {
struct rival { double first; rival *next; };
}

int derived::instances;
static hidden the_hidden;

static __attribute__((noinline)) double count(rival *rival)
{
	return rival->first + (rival->next ? rival->next->first : 0);
}

base::~base() {}
int base::get() const { return b; }
derived::~derived() { instances--; }
int derived::get() const { return d + b; }
void derived::set(int value) { d = value; }
void derived::set(const two::data &value) { inner.mode = value.first ? two::mode::on : two::mode::off; }

hidden *hidden_new(derived &from, derived &&)
{
	rival r{1, nullptr};

	the_hidden.made_of = &from;
	from.o = static_cast<long>(count(&r));
	return &the_hidden;
}

long sum(one::data *a, const two::data &b)
{
	return a->only + b.first;
}
