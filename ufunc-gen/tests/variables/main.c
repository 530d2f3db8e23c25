/* Variables of every kind. */
#include "shared.h"

struct pool pools[3];
static struct pool *head = &pools[0];
int counter = 5;
static const char greeting[] = "hello";
const double ratio = 1.5;
struct flexible flexible = {2, {7, 8, 9}};
__attribute__((section("own.section"))) int placed = 3;
int unfinished[];
int unfinished[4];
_Thread_local int started = 3;
static _Thread_local long waiting;
static int same_name = 1;
/* What is left out. */
struct nothing {
} nothing;
static int never_used;

int step(int by)
{
	static int calls = 7;

	return calls += by + common();
}

int main(int argc, char **argv)
{
	started += argc;
	waiting += elsewhere;
	head += argc;
	unfinished[argc] = same_name++;
	return step(argc) + greeting[argc] + (int)ratio + flexible.values[argc] + placed + other() + (argv == 0 ? counter : 0);
}
