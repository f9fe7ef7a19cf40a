"""Where is my image? Each step of one capture with its time, and who holds the copy now."""
