struct pool {
	int id;
	long used;
	struct pool *next;
};

struct flexible {
	int count;
	int values[];
};

extern int elsewhere;
int other(void);

static inline int common(void)
{
	static int inlined;

	return ++inlined;
}
