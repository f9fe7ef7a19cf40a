"""Between MQTT and Google Cloud, both ways, with custody: stateless, two replicas may run side by side."""
