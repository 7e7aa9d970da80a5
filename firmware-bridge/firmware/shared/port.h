// What a platform gives the shared code: outputs, bus, line, nonces, and a lock against its timer interrupt.
#ifndef ORION_PORT_H
#define ORION_PORT_H

#include <stdbool.h>
#include <stdint.h>

// The outputs-enable line (board) or servo power (guard).
void port_outputs(bool on);
// One write of register and values; false if the chip did not answer or the bus hangs. Bounded in time.
bool port_bus_write(uint8_t address, const uint8_t *bytes, uint8_t count);
bool port_bus_read(uint8_t address, uint8_t reg, uint8_t *value);
void port_wait_us(uint16_t us);
// Queues a frame for the host; drops it whole if there is no room. Never waits.
void port_send(const uint8_t *wire, uint8_t count);
// Never the same twice, across resets and loss of power.
uint32_t port_next_nonce(void);
// After this the dead-man knows what time it is, and nothing else touches it until the unlock.
uint8_t port_lock(void);
void port_unlock(uint8_t before);
uint32_t port_uptime_ms(void);

#endif
