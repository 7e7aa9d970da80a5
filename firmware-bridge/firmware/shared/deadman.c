// Decides whether outputs may be on and whether they may change: the dead-man of the leg board and of the linux-guard.
#include "deadman.h"

static void turn_off(struct deadman *deadman, uint8_t cause)
{
	deadman->state = DEADMAN_OFF;
	deadman->cause = cause;
	deadman->left_ms = 0;
}

static void freeze(struct deadman *deadman, uint8_t cause)
{
	deadman->state = DEADMAN_FROZEN;
	deadman->cause = cause;
	deadman->left_ms = deadman->freeze_ms;
	if (deadman->freeze_ms == 0)
		turn_off(deadman, cause);
}

void deadman_init(struct deadman *deadman)
{
	deadman->lease_ms = 0;
	deadman->freeze_ms = 0;
	turn_off(deadman, CAUSE_BOOT);
}

bool deadman_arm(struct deadman *deadman, uint16_t lease_ms, uint16_t freeze_ms)
{
	if (deadman->state != DEADMAN_OFF)
		return false;
	if (lease_ms == 0 || lease_ms > DEADMAN_LEASE_MS_MAX || freeze_ms > DEADMAN_FREEZE_MS_MAX)
		return false;
	deadman->lease_ms = lease_ms;
	deadman->freeze_ms = freeze_ms;
	deadman->left_ms = lease_ms;
	deadman->cause = CAUSE_ARMED;
	deadman->state = DEADMAN_ARMED;
	return true;
}

bool deadman_renew(struct deadman *deadman)
{
	if (deadman->state != DEADMAN_ARMED)
		return false;
	deadman->left_ms = deadman->lease_ms;
	return true;
}

bool deadman_may_move(const struct deadman *deadman)
{
	return deadman->state == DEADMAN_ARMED;
}

bool deadman_outputs_on(const struct deadman *deadman)
{
	return deadman->state != DEADMAN_OFF;
}

void deadman_stop(struct deadman *deadman)
{
	if (deadman->state == DEADMAN_ARMED)
		freeze(deadman, CAUSE_STOP);
}

void deadman_cut(struct deadman *deadman, uint8_t cause)
{
	if (deadman->state != DEADMAN_OFF)
		turn_off(deadman, cause);
}

void deadman_tick(struct deadman *deadman, uint16_t elapsed_ms)
{
	if (deadman->state == DEADMAN_ARMED) {
		if (elapsed_ms < deadman->left_ms) {
			deadman->left_ms -= elapsed_ms;
			return;
		}
		elapsed_ms -= deadman->left_ms;
		freeze(deadman, CAUSE_LEASE_RAN_OUT);
	}
	if (deadman->state == DEADMAN_FROZEN) {
		if (elapsed_ms < deadman->left_ms)
			deadman->left_ms -= elapsed_ms;
		else
			turn_off(deadman, CAUSE_FREEZE_OVER);
	}
}
