// Decides what is done with each frame of the line: who may arm, renew and move, and what the host is told.
#ifndef ORION_LEGS_H
#define ORION_LEGS_H

#include <stdbool.h>
#include <stdint.h>

#include "chips.h"
#include "deadman.h"
#include "line.h"

#define PROTOCOL_VERSION 1u
#define BOARD_LEG_BOARD 1u
#define BOARD_LINUX_GUARD 2u

struct legs {
	struct deadman deadman;
	struct line line;
	uint8_t board;
	uint8_t reset_cause;
	const uint8_t *firmware;
	uint32_t nonce;
	uint32_t tag;
	uint32_t last_seq;
	uint16_t refused;
	uint16_t target_us[JOINT_COUNT];
	bool target_known;
	bool target_fresh;
	// Chips were set up by this arming and have not been turned off since.
	bool live;
	uint8_t groups;
	uint32_t armed_at_ms;
	uint32_t sound_at_ms;
	uint8_t told_state;
	uint8_t told_cause;
};

// `firmware`: eight bytes of the hash of the sources.
void legs_init(struct legs *legs, uint8_t board, uint8_t reset_cause, const uint8_t *firmware);
// Says hello unasked: after every reset, or to a host that has just connected.
void legs_hello(struct legs *legs);
void legs_byte(struct legs *legs, uint8_t byte);
// Whoever said the frames is gone for certain: like stop, without waiting for the lease.
void legs_host_gone(struct legs *legs);
// From the timer: time passes for the dead-man, and outputs go off here and nowhere later.
void legs_tick(struct legs *legs, uint16_t elapsed_ms);
// From the main loop: pulses out, power by groups, chips watched, changes told.
void legs_turn(struct legs *legs);

#endif
