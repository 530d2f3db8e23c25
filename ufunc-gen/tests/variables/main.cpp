// Variables that have something around them.
namespace n1 {
struct data {
	int a;
	static int shared;
	static inline long within = 4;
	static constexpr int constant = 3;
};
int data::shared = 7;
int counter = 3;
namespace {
int hidden = 4;
}
template <class T> T pi = T(3);
inline data *first;
struct inner {
	int step();
};
int inner::step()
{
	static long calls;
	return ++calls;
}
} // namespace n1

static n1::data pool[3];
thread_local long local = 6;
int &reference = n1::counter;
extern const int visible;
const int visible = 6;
struct shape {
	virtual ~shape() {}
	virtual int area() { return 1; }
} shape;

int main(int argc, char **)
{
	n1::inner inner;

	n1::hidden += argc;
	local += argc;
	pool[argc].a++;
	n1::data::within++;
	return int(n1::pi<double> + n1::pi<float>) + inner.step() + pool[0].a + (n1::first != nullptr) + shape.area() +
		reference + n1::data::shared;
}
