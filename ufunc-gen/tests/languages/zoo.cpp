/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What C++ can say of types. */
#include <cstddef>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace n1 { struct data { int only; data *next; }; enum plain { N1_A, N1_B = 4 }; }
namespace n2 { struct data { long first, second; }; }
namespace outer {
inline namespace v2 { struct versioned { short v; }; }
namespace { struct hidden { char h; }; }
namespace inner { struct deep { hidden h; versioned v; }; }
}

enum class scoped : unsigned char { off, on = 200 };
enum class wide : long { least = -5000000000 };
/* Completed below. */
enum class later : short;
struct only_declared;
struct completed;
struct refers { later *l; only_declared *o; completed *c; };
enum class later : short { now = -7 };
struct completed { int done; };

struct base1 { int b1; };
struct base2 { long b2; char tail; };
struct derived : base1, base2 { short own; };
struct polymorphic { virtual ~polymorphic() {} virtual int get() const { return v; } int v; };
struct more : polymorphic { int get() const override { return v + m; } int m; };
struct virtual_left : virtual polymorphic { int l; };
struct virtual_right : virtual polymorphic { int r; };
struct diamond : virtual_left, virtual_right { int d; };
struct empty_base {};
struct with_empty : empty_base { int after; };

struct members {
	int &reference;
	int &&moved;
	int base1::*data;
	int (polymorphic::*method)() const;
	std::nullptr_t nothing;
	decltype(nullptr) also;
	scoped s : 3;
	bool flag : 1;
	wchar_t w;
	char16_t c16;
	char32_t c32;
	struct nested { members *outer; union { int i; float f; }; } n;
	static int counter;
	static constexpr int constant = 3;
	typedef unsigned long own_type;
	own_type o;
	enum inside { FIRST, SECOND } e;
};
int members::counter;

union with_methods {
	int i;
	char bytes[4];
	with_methods() : i(0) {}
	int get() const { return i; }
};

template <typename T, typename... Rest> struct pack : pack<Rest...> { T head; };
template <typename T> struct pack<T> { T head; };
template <typename T, int N = 2> struct array { T items[N]; const T &at(int n) const { return items[n]; } };
template <typename T> using alias = array<T, 3>;
template <template <typename, int> class C> struct of_template { C<char, 4> c; };

struct everything {
	pack<int, char, double> p;
	array<n1::data> a1;
	alias<n2::data> a2;
	of_template<array> o;
	std::string name;
	std::vector<int> list;
	std::map<int, std::string> map;
	std::unique_ptr<derived> owned;
	std::optional<short> maybe;
	outer::inner::deep deep;
	n1::plain plain;
};

volatile int sink;

struct methods {
	int m;
	int overloaded(int) const { return m; }
	int overloaded(double) const { return m + 1; }
	static int no_object(methods &other) { return other.m; }
	methods operator+(const methods &other) const { return { m + other.m }; }
	template <typename T> T typed(T value) { return value; }
};

template <typename... T> int counted(long first, T... rest) { return static_cast<int>(first) + sizeof...(rest); }

namespace n1 { int take(data *d) { return d->only; } }
namespace n2 { int take(data *d) { return static_cast<int>(d->first); } }
static int same(int a) { return a; }
extern "C" int c_function(everything *e, methods m, ...) { return e->p.head + m.m; }
auto deduced(const std::string &s) { return s.size(); }
int by_reference(members &m, diamond &&d) { return m.reference + d.d; }

int main(int argc, char **argv)
{
	struct local { int in_main; } l{ argc };
	everything e{};
	with_methods u;
	virtual_left left;
	more mo;
	int number = argc;
	members m{ number, std::move(number), &base1::b1, &polymorphic::get, nullptr, nullptr, scoped::on, true, L'w', u'c', U'c', {}, 0, members::FIRST };
	methods me{ 1 };
	refers r{};
	wide w = wide::least;
	with_empty we;
	n1::data d1{};
	n2::data d2{};
	auto lambda = [&l, argc](int more) { return l.in_main + argc + more; };

	std::cout << argv[0] << deduced(e.name);
	sink = n1::take(&d1) + n2::take(&d2) + same(argc) + u.get() + static_cast<int>(w) + we.after + mo.get() + left.l;
	sink += counted(1L, 2, 3.0, 'c');
	return c_function(&e, me + me, 1) + by_reference(m, diamond{}) + lambda(2) + me.overloaded(1) + me.overloaded(1.0) +
	       methods::no_object(me) + me.typed<short>(2) + (r.c != nullptr) + e.a1.at(0).only;
}
