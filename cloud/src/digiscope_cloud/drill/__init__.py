"""The fault kit: runs the real system through a timeline of faults and reconciles what was sent with what was kept."""
