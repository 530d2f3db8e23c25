// SPDX-License-Identifier: MIT OR Apache-2.0
// Functions whose names the compiler mangles.

namespace shop {

struct Cart {
	int items = 0;
	__attribute__((noipa)) int add(int count)
	{
		items += count;
		return items;
	}
};

__attribute__((noipa)) int price(int count)
{
	return count * 3;
}

__attribute__((noipa)) int price(int count, int each)
{
	return count * each;
}

} // namespace shop

int main()
{
	shop::Cart cart;
	return cart.add(2) + shop::price(2) + shop::price(2, 5) == 18 ? 0 : 1;
}
