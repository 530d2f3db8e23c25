// SPDX-License-Identifier: MIT OR Apache-2.0
/* One pair of functions, found by inference; the object's struct holds and points to others. */

struct point {
	int x;
	int y;
};

struct box {
	struct point corners[2];
	const char *label;
};

struct scene {
	unsigned int id;
	struct box outer;
	struct box *inner;
	struct {
		long hits;
		long misses;
	} counters;
};

static struct scene scenes[4];
static unsigned int used;

struct scene *scene_create(int width, int height)
{
	struct scene *s = &scenes[used++ & 3];

	s->id = used;
	s->outer.corners[1].x = width;
	s->outer.corners[1].y = height;
	s->inner = &s->outer;
	return s;
}

void scene_destroy(struct scene *s)
{
	s->id = 0;
}
