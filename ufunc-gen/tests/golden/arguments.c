// SPDX-License-Identifier: MIT OR Apache-2.0
/* Arguments whose types do not tell what they are, and a function that sleeps: see arguments.toml. */

struct visitor {
	int number;
	char name[16];
};

static struct visitor visitors[4];
static unsigned long written;

/* The name ends like one that the verifier reads something into. */
void say(int level, const char *message__ign)
{
	written += (unsigned long)level + (unsigned long)message__ign[0];
}

int write_bytes(const void *bytes, unsigned long count)
{
	written += count + *(const unsigned char *)bytes;
	return (int)count;
}

/* Both names mean something to the verifier. */
void fill(unsigned char *rdonly_buf, int rdonly_buf_size)
{
	rdonly_buf[0] = (unsigned char)rdonly_buf_size;
}

struct visitor *find_visitor(int number)
{
	return number < 4 ? &visitors[number] : (struct visitor *)0;
}

void remark(struct visitor *about, int kind)
{
	if (about)
		about->number = kind;
}

void settle(void)
{
	written = 0;
}
