#include "shared.h"

int elsewhere = 3;
static short same_name = 9;

int other(void)
{
	static int calls;

	return calls++ + same_name++ + common();
}
