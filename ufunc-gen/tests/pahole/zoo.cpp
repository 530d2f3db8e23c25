// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What C++ adds: namespaces, classes, references, members that are no members of objects. With PLAIN, only what pahole
// does not fail on as a whole.

#ifdef WITH_LIBRARY
#include <map>
#include <memory>
#include <string>
#include <vector>
#endif

namespace n1 {
struct data {
	int a;
	long b;
};
enum class color : unsigned char { red, green = 5 };
namespace inner {
struct data {
	char c;
	n1::data *outer;
};
}
}

namespace n2 {
struct data {
	double other;
};
typedef data *data_pointer;
}

namespace {
struct hidden {
	short s;
};
}

#ifdef PLAIN
#define BASES
#else
#define BASES : public base, private second_base

class base {
public:
	int in_base;
	base() : in_base(1), kept(0) {}
protected:
	char kept;
};

class second_base {
public:
	long in_second;
};
#endif

class derived BASES {
public:
	struct nested {
		int x;
	};
	enum kind { NONE, SOME };
	typedef nested nested_t;
	nested n;
	kind k;
	static int shared;
	static const int constant = 3;
	int method(int x) { return x + n.x; }
	int method(double x) { return static_cast<int>(x); }
};
int derived::shared = 1;

#ifndef PLAIN
class polymorphic {
public:
	virtual int answer() { return 42; }
	virtual ~polymorphic() {}
	int after_vtable;
};

class more_polymorphic : public polymorphic {
public:
	int answer() override { return 43; }
	unsigned bits : 3;
};

class with_virtual_base : virtual public base {
public:
	int own;
};

struct references {
	int &lvalue;
	n1::data &&rvalue;
	const base &constant;
	int derived::*data_member;
	int (derived::*method)(int);
	decltype(nullptr) nothing;
};
#endif

template <typename T, int N> struct box {
	T value;
	T list[N];
	template <typename U> U as() { return static_cast<U>(value); }
};

struct users {
	n1::data first;
	n2::data second;
	n1::inner::data third;
	n2::data_pointer pointer;
	n1::color color;
	box<int, 3> ints;
	box<n1::data *, 2> pointers;
	derived::nested_t nested;
	bool truth;
	char32_t letter;
};

users all;
hidden concealed;
derived object;
#ifndef PLAIN
polymorphic shape;
more_polymorphic other_shape;
with_virtual_base virtual_object;
#endif

__attribute__((noinline)) int overloaded(int x) { return x; }
#ifndef PLAIN
__attribute__((noinline)) int overloaded(n1::data &d) { return d.a; }
__attribute__((noinline)) int use_references(references *r) { return r->lvalue; }
#else
__attribute__((noinline)) int overloaded(n1::data *d) { return d->a; }
#endif
namespace n1 {
__attribute__((noinline)) int in_namespace(data *d) { return d->a + concealed.s; }
}
extern "C" __attribute__((noinline)) int plain_c(users *u) { return u->truth; }

template <typename T> __attribute__((noinline)) int generic(T t) { return static_cast<int>(sizeof(t)); }

#ifdef WITH_LIBRARY
struct library_user {
	std::string text;
	std::vector<n1::data> list;
	std::map<int, std::string> map;
	std::unique_ptr<users> owned;
};
int use_library(library_user *u) { return static_cast<int>(u->text.size() + u->list.size() + u->map.size()); }
#endif

int main()
{
	int sum = overloaded(1) + n1::in_namespace(&all.first) + plain_c(&all) + generic(1) + generic(all.second) +
		  object.method(1) + object.method(2.0) + static_cast<int>(all.ints.as<long>());
#ifndef PLAIN
	auto lambda = [&](int x) { return x + all.first.a + sum; };
	sum += overloaded(all.first) + lambda(2) + shape.answer() + other_shape.answer() + virtual_object.own;
#else
	sum += overloaded(&all.first);
#endif
	return sum;
}
