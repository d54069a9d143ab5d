"""The membership protocol (SWIM with Lifeguard, as memberlist speaks it) as a pure state machine."""
