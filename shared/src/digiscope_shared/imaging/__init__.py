"""Pixels on device and in the worker: the same code on both, so that both see the same picture.

The number of OpenCV's threads is the process's business: composition roots call `cv2.setNumThreads(1)`.
"""
