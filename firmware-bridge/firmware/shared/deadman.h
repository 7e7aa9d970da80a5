// Decides whether outputs may be on and whether they may change: the dead-man of the leg board and of the linux-guard.
#ifndef ORION_DEADMAN_H
#define ORION_DEADMAN_H

#include <stdbool.h>
#include <stdint.h>

#define DEADMAN_LEASE_MS_MAX 500u
#define DEADMAN_FREEZE_MS_MAX 5000u

enum deadman_state { DEADMAN_OFF = 0, DEADMAN_ARMED = 1, DEADMAN_FROZEN = 2 };

enum deadman_cause {
	CAUSE_BOOT = 0,
	CAUSE_LEASE_RAN_OUT = 1,
	CAUSE_STOP = 2,
	CAUSE_CUT = 3,
	CAUSE_FREEZE_OVER = 4,
	CAUSE_CHIP_FAULT = 5,
	CAUSE_ARMED = 6
};

// Counts down instead of comparing clocks: nothing wraps. Whoever shares it with an interrupt locks around every call.
struct deadman {
	volatile uint8_t state;
	volatile uint8_t cause;
	volatile uint16_t left_ms;
	uint16_t lease_ms;
	uint16_t freeze_ms;
};

void deadman_init(struct deadman *deadman);
// Only from off; false and no change for a lease or freeze time out of range.
bool deadman_arm(struct deadman *deadman, uint16_t lease_ms, uint16_t freeze_ms);
// Only while armed: what is frozen is never brought back by a late renewal.
bool deadman_renew(struct deadman *deadman);
bool deadman_may_move(const struct deadman *deadman);
bool deadman_outputs_on(const struct deadman *deadman);
// Freezes what is armed; does not lengthen a freeze.
void deadman_stop(struct deadman *deadman);
void deadman_cut(struct deadman *deadman, uint8_t cause);
// Time has passed; more than the rest of the lease also counts against the freeze.
void deadman_tick(struct deadman *deadman, uint16_t elapsed_ms);

#endif
