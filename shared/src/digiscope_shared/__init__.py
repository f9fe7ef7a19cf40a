"""What crosses DigiScope's process boundaries, and the few mechanisms that several processes must share exactly."""
