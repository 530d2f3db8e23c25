/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * What an extension must know of the host examples/granted: its structs, the functions that it lends,
 * and what its policy, examples/granted.toml, grants of its accounts. `ufunc-gen header` writes such a
 * header for any host.
 */
#ifndef GRANTED_H
#define GRANTED_H

struct receipt {
	int number;
	char text[10];
} __attribute__((preserve_access_index));

struct history {
	int length;
	short amounts[8];
	struct receipt *last;
} __attribute__((preserve_access_index));

struct account {
	long balance;
	short limit;
	unsigned char level;
	_Bool frozen;
	unsigned int kind : 3;
	int trend : 5;
	unsigned int visits : 20;
	struct history *history;
} __attribute__((preserve_access_index));

/* An account of the extension's own, or NULL; it owes the host an account_close. */
extern struct account *account_open(void) __ksym;
extern void account_close(struct account *account) __ksym;

/* A view of an account of the host's, or NULL; it has to be put back. */
extern struct account *ufunc_borrow_account(unsigned long long address) __ksym;
extern void ufunc_put_account(struct account *object) __ksym;

/* Any account. */
extern int ufunc_write_account_limit(struct account *object, short value) __ksym;
extern int ufunc_write_account_place_y(struct account *object, int value) __ksym;
/* Accounts of the host's. */
extern int ufunc_write_account_frozen(struct account *object, _Bool value) __ksym;
extern int ufunc_write_account_kind(struct account *object, unsigned int value) __ksym;
extern int ufunc_write_account_trend(struct account *object, int value) __ksym;
/* Accounts of the extension's own. */
extern int ufunc_write_account_balance(struct account *object, long value) __ksym;

/* Elements of account->history->amounts and account->history->last->text. */
extern short ufunc_read_account_history_amounts(struct account *object, unsigned int index) __ksym;
extern char ufunc_read_account_history_last_text(struct account *object, unsigned int index) __ksym;

#endif /* GRANTED_H */
