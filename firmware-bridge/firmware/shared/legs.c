// Decides what is done with each frame of the line: who may arm, renew and move, and what the host is told.
#include "legs.h"

#include "port.h"

#define PULSE_US_MIN 500u
#define PULSE_US_MAX 2500u
#define GROUP_COUNT 3u
#define GROUP_GAP_MS 300u
#define SOUND_EVERY_MS 200u

#define HEADER_BYTES 5u

enum host_type { HOST_HELLO = 1, HOST_ARM = 2, HOST_RENEW = 3, HOST_POSE = 4, HOST_STATUS = 5, HOST_STOP = 6, HOST_CUT = 7 };
enum board_type { BOARD_HELLO = 0x81, BOARD_STATUS = 0x82, BOARD_REFUSED = 0x83 };

enum reason {
	REASON_NONE = 0,
	REASON_WRONG_STATE = 1,
	REASON_WRONG_ANSWER = 2,
	REASON_TIME_OUT_OF_RANGE = 3,
	REASON_OTHER_ARMING = 4,
	REASON_SEQ_NOT_RISING = 5,
	REASON_PULSE_OUT_OF_RANGE = 6,
	REASON_VERSION = 7,
	REASON_CHIP_NOT_READY = 8
};

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] | (uint16_t)((uint16_t)at[1] << 8));
}

static uint32_t get24(const uint8_t *at)
{
	return get16(at) | (uint32_t)at[2] << 16;
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) | (uint32_t)get16(at + 2) << 16;
}

static uint8_t *put(uint8_t *at, uint32_t value, uint8_t count)
{
	while (count-- > 0) {
		*at++ = (uint8_t)value;
		value >>= 8;
	}
	return at;
}

static void send(const uint8_t *content, const uint8_t *end)
{
	uint8_t wire[LINE_WIRE_MAX];
	port_send(wire, line_wrap(content, (uint8_t)(end - content), wire));
}

// State as it is now, with time accounted for; never read without the lock.
static uint8_t state_now(const struct legs *legs, uint8_t *cause)
{
	uint8_t before = port_lock();
	uint8_t state = legs->deadman.state;
	*cause = legs->deadman.cause;
	port_unlock(before);
	return state;
}

static bool outputs_on(const struct legs *legs)
{
	uint8_t cause;
	return state_now(legs, &cause) != DEADMAN_OFF;
}

static bool may_move(const struct legs *legs)
{
	uint8_t cause;
	return state_now(legs, &cause) == DEADMAN_ARMED;
}

static void say_hello(struct legs *legs, uint32_t seq)
{
	uint8_t content[HEADER_BYTES + 16];
	uint8_t cause;
	uint8_t *at = put(put(content, BOARD_HELLO, 1), seq, 4);
	at = put(put(at, PROTOCOL_VERSION, 1), legs->board, 1);
	for (uint8_t byte = 0; byte < 8; byte++)
		*at++ = legs->firmware[byte];
	at = put(put(put(at, legs->nonce, 4), legs->reset_cause, 1), state_now(legs, &cause), 1);
	send(content, at);
}

static void say_status(struct legs *legs, uint32_t seq)
{
	uint8_t content[HEADER_BYTES + 20];
	uint32_t uptime_ms = port_uptime_ms();
	uint8_t before = port_lock();
	uint8_t state = legs->deadman.state;
	uint8_t cause = legs->deadman.cause;
	uint16_t left_ms = state == DEADMAN_ARMED ? legs->deadman.left_ms : 0;
	port_unlock(before);
	legs->told_state = state;
	legs->told_cause = cause;
	uint8_t *at = put(put(content, BOARD_STATUS, 1), seq, 4);
	at = put(put(at, state, 1), cause, 1);
	at = put(put(put(at, legs->tag, 3), legs->last_seq, 4), left_ms, 2);
	at = put(at, state == DEADMAN_OFF ? 0 : legs->groups, 1);
	at = put(put(put(at, legs->refused, 2), legs->line.damaged, 2), uptime_ms, 4);
	send(content, at);
}

static void say_refused(struct legs *legs, uint32_t seq, uint8_t type, uint8_t reason)
{
	uint8_t content[HEADER_BYTES + 2];
	if (legs->refused < 0xffff)
		legs->refused++;
	send(content, put(put(put(put(content, BOARD_REFUSED, 1), seq, 4), type, 1), reason, 1));
}

// Off was entered since we looked: pulses off on the chips too, and whoever wants to arm needs a nonce of after this moment.
static void notice_off(struct legs *legs)
{
	if (!legs->live || outputs_on(legs))
		return;
	legs->live = false;
	legs->target_known = false;
	legs->target_fresh = false;
	legs->nonce = port_next_nonce();
	// Outputs are off already; a chip that does not answer now is found by the next arm.
	(void)chips_all_off();
}

static uint8_t arm(struct legs *legs, uint32_t seq, const uint8_t *body)
{
	uint32_t asked = legs->nonce;
	uint16_t lease_ms = get16(body + 4);
	uint16_t freeze_ms = get16(body + 6);
	legs->nonce = port_next_nonce();
	if (outputs_on(legs))
		return REASON_WRONG_STATE;
	if (get32(body) != (uint32_t)~asked)
		return REASON_WRONG_ANSWER;
	if (lease_ms == 0 || lease_ms > DEADMAN_LEASE_MS_MAX || freeze_ms > DEADMAN_FREEZE_MS_MAX)
		return REASON_TIME_OUT_OF_RANGE;
	if (!chips_set_up())
		return REASON_CHIP_NOT_READY;
	legs->tag = asked & 0xffffffu;
	legs->last_seq = seq;
	legs->target_known = false;
	legs->target_fresh = false;
	legs->live = true;
	legs->groups = 1;
	legs->armed_at_ms = port_uptime_ms();
	legs->sound_at_ms = legs->armed_at_ms;
	// State and outputs change together, or an expiry in between would leave outputs on while off.
	uint8_t before = port_lock();
	bool armed = deadman_arm(&legs->deadman, lease_ms, freeze_ms);
	if (armed)
		port_outputs(true);
	port_unlock(before);
	return armed ? REASON_NONE : REASON_WRONG_STATE;
}

// Tag and order of a renewal or pose; called with the lock held.
static uint8_t judge_motion(struct legs *legs, uint32_t seq, const uint8_t *body)
{
	if (!deadman_may_move(&legs->deadman))
		return REASON_WRONG_STATE;
	if (get24(body) != legs->tag)
		return REASON_OTHER_ARMING;
	return seq > legs->last_seq ? REASON_NONE : REASON_SEQ_NOT_RISING;
}

static uint8_t renew(struct legs *legs, uint32_t seq, const uint8_t *body)
{
	uint8_t before = port_lock();
	uint8_t reason = judge_motion(legs, seq, body);
	if (reason == REASON_NONE && !deadman_renew(&legs->deadman))
		reason = REASON_WRONG_STATE;
	if (reason == REASON_NONE)
		legs->last_seq = seq;
	port_unlock(before);
	return reason;
}

static uint8_t pose(struct legs *legs, uint32_t seq, const uint8_t *body)
{
	for (uint8_t joint = 0; joint < JOINT_COUNT; joint++) {
		uint16_t pulse_us = get16(body + 3 + 2 * joint);
		if (pulse_us != 0 && (pulse_us < PULSE_US_MIN || pulse_us > PULSE_US_MAX))
			return REASON_PULSE_OUT_OF_RANGE;
	}
	uint8_t before = port_lock();
	uint8_t reason = judge_motion(legs, seq, body);
	port_unlock(before);
	if (reason != REASON_NONE)
		return reason;
	legs->last_seq = seq;
	for (uint8_t joint = 0; joint < JOINT_COUNT; joint++)
		legs->target_us[joint] = get16(body + 3 + 2 * joint);
	legs->target_known = true;
	legs->target_fresh = true;
	return REASON_NONE;
}

static void stop_or_cut(struct legs *legs, bool cut)
{
	uint8_t before = port_lock();
	if (cut)
		deadman_cut(&legs->deadman, CAUSE_CUT);
	else
		deadman_stop(&legs->deadman);
	if (!deadman_outputs_on(&legs->deadman))
		port_outputs(false);
	port_unlock(before);
}

static bool body_fits(uint8_t type, uint8_t count)
{
	switch (type) {
	case HOST_HELLO:
		return count == 1;
	case HOST_ARM:
		return count == 8;
	case HOST_RENEW:
		return count == 3;
	case HOST_POSE:
		return count == 3 + 2 * JOINT_COUNT;
	case HOST_STATUS:
	case HOST_STOP:
	case HOST_CUT:
		return count == 0;
	default:
		return false;
	}
}

static void obey(struct legs *legs, uint8_t type, uint32_t seq, const uint8_t *body)
{
	uint8_t reason = REASON_NONE;
	switch (type) {
	case HOST_HELLO:
		if (body[0] == PROTOCOL_VERSION)
			say_hello(legs, seq);
		else
			reason = REASON_VERSION;
		break;
	case HOST_ARM:
		reason = arm(legs, seq, body);
		if (reason == REASON_NONE)
			say_status(legs, seq);
		break;
	case HOST_RENEW:
		reason = renew(legs, seq, body);
		break;
	case HOST_POSE:
		reason = pose(legs, seq, body);
		break;
	case HOST_STATUS:
		say_status(legs, seq);
		break;
	default:
		stop_or_cut(legs, type == HOST_CUT);
		notice_off(legs);
		say_status(legs, seq);
		break;
	}
	if (reason != REASON_NONE)
		say_refused(legs, seq, type, reason);
}

void legs_host_gone(struct legs *legs)
{
	stop_or_cut(legs, false);
}

void legs_byte(struct legs *legs, uint8_t byte)
{
	uint8_t content[LINE_STUFFED_MAX];
	uint8_t count = line_byte(&legs->line, byte, content);
	if (count == 0)
		return;
	if (count < HEADER_BYTES || !body_fits(content[0], (uint8_t)(count - HEADER_BYTES))) {
		if (legs->line.damaged < 0xffff)
			legs->line.damaged++;
		return;
	}
	notice_off(legs);
	obey(legs, content[0], get32(content + 1), content + HEADER_BYTES);
}

void legs_init(struct legs *legs, uint8_t board, uint8_t reset_cause, const uint8_t *firmware)
{
	deadman_init(&legs->deadman);
	line_init(&legs->line);
	legs->board = board;
	legs->reset_cause = reset_cause;
	legs->firmware = firmware;
	legs->nonce = port_next_nonce();
	legs->tag = 0;
	legs->last_seq = 0;
	legs->refused = 0;
	legs->target_known = false;
	legs->target_fresh = false;
	legs->live = false;
	legs->groups = 0;
	legs->told_state = DEADMAN_OFF;
	legs->told_cause = CAUSE_BOOT;
}

void legs_hello(struct legs *legs)
{
	say_hello(legs, 0);
}

void legs_tick(struct legs *legs, uint16_t elapsed_ms)
{
	deadman_tick(&legs->deadman, elapsed_ms);
	if (!deadman_outputs_on(&legs->deadman))
		port_outputs(false);
}

static void chip_fault(struct legs *legs)
{
	uint8_t before = port_lock();
	deadman_cut(&legs->deadman, CAUSE_CHIP_FAULT);
	port_outputs(false);
	port_unlock(before);
}

// Joint -> group: legs 1 and 4, 2 and 5, 3 and 6.
static uint8_t group_of(uint8_t joint)
{
	return (uint8_t)((joint / 3u) % GROUP_COUNT);
}

static void move_legs(struct legs *legs, uint32_t now_ms)
{
	uint8_t groups = legs->groups;
	uint32_t since_ms = now_ms - legs->armed_at_ms;
	while (groups < GROUP_COUNT && since_ms >= (uint32_t)groups * GROUP_GAP_MS)
		groups++;
	if (groups != legs->groups && legs->target_known)
		legs->target_fresh = true;
	legs->groups = groups;
	if (!legs->target_fresh)
		return;
	uint16_t pulses_us[JOINT_COUNT];
	for (uint8_t joint = 0; joint < JOINT_COUNT; joint++)
		pulses_us[joint] = group_of(joint) < groups ? legs->target_us[joint] : 0;
	legs->target_fresh = false;
	// The last look before pulses change: what was frozen a moment ago is not moved any more.
	if (may_move(legs) && !chips_pulses(pulses_us))
		chip_fault(legs);
}

void legs_turn(struct legs *legs)
{
	uint32_t now_ms = port_uptime_ms();
	notice_off(legs);
	if (may_move(legs))
		move_legs(legs, now_ms);
	if (outputs_on(legs) && now_ms - legs->sound_at_ms >= SOUND_EVERY_MS) {
		legs->sound_at_ms = now_ms;
		if (!chips_sound())
			chip_fault(legs);
	}
	notice_off(legs);
	uint8_t cause;
	uint8_t state = state_now(legs, &cause);
	if (legs->told_state != state || legs->told_cause != cause)
		say_status(legs, 0);
}
