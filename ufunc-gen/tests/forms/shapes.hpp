/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the units of the C++ application share. */
#pragma once

namespace one { struct data { int only; data *next; }; }
namespace two { struct data { long first, second; }; enum class mode : unsigned char { off, on = 9 }; }

/* Defined in shapes.cpp alone. */
class hidden;

struct base { int b; virtual ~base(); virtual int get() const; };
struct other { long o; int twice() { return static_cast<int>(o) * 2; } };

class derived : public base, public other {
public:
	explicit derived(int d) : d(d) {}
	~derived() override;
	int get() const override;
	void set(int value);
	void set(const two::data &value);
	static int instances;
	struct nested { derived *outer; two::mode mode; };
private:
	int d : 5;
	bool flag : 1;
	nested inner{};
	hidden *h = nullptr;
	int one::data::*member = nullptr;
	int (other::*method)() = nullptr;
};

template <typename T, int N> struct box {
	T items[N];
	T &at(int index) { return items[index]; }
};

union either {
	int i;
	float f;
	int whole() { return i; }
};

hidden *hidden_new(derived &from, derived &&rest);
long sum(one::data *a, const two::data &b);
extern "C" int plain_c(box<int, 3> *ints, box<one::data, 2> *data);
