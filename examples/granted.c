// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A host that lets extensions look at its accounts, and change some of their fields: what is granted
 * stands in its policy, granted.toml. An extension on deposit sees an account before an amount is added;
 * each line shows what the account is afterwards.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "host.h"

#define ENTRIES 8

struct receipt {
	int number;
	char text[10];
};

struct history {
	int length;
	short amounts[ENTRIES];
	struct receipt *last;
};

struct account {
	long balance;
	short limit;
	unsigned char level;
	bool frozen;
	unsigned int kind : 3;
	int trend : 5;
	unsigned int visits : 20;
	int : 0;
	struct {
		int x;
		int y;
	} place;
	struct history *history;
};

struct account *account_open(void)
{
	struct account *account = calloc(1, sizeof(*account));
	struct history *history = calloc(1, sizeof(*history));
	struct receipt *receipt = calloc(1, sizeof(*receipt));

	if (!account || !history || !receipt) {
		free(account);
		free(history);
		free(receipt);
		return NULL;
	}
	*receipt = (struct receipt){.number = 7, .text = "receipt"};
	*history = (struct history){.length = 3, .amounts = {10, -20, 30}, .last = receipt};
	*account = (struct account){
		.balance = 1000,
		.limit = 50,
		.level = 1,
		.kind = 2,
		.trend = -3,
		.visits = 1048575,
		.place = {4, 5},
		.history = history,
	};
	return account;
}

void account_close(struct account *account)
{
	free(account->history->last);
	free(account->history);
	free(account);
}

PROBED long deposit(struct account *account, int amount)
{
	PROBED_USES(account);
	account->balance += amount;
	return account->balance;
}

int main(int argc, char **argv)
{
	struct rounds rounds = host_start(argc, argv);

	while (host_next(&rounds)) {
		struct account *account = account_open();

		if (!account) {
			fprintf(stderr, "%s: out of memory\n", argv[0]);
			return 1;
		}
		deposit(account, 5);
		printf("balance %ld limit %d level %d frozen %d kind %d trend %d visits %d place %d,%d\n",
		       account->balance, account->limit, account->level, account->frozen,
		       account->kind, account->trend, account->visits, account->place.x,
		       account->place.y);
		account_close(account);
	}
	return 0;
}
