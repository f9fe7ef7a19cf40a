"""The segmenter's learning: data, network, training, export. Serving is in `digiscope_cloud.vision`."""
