"""Google Cloud behind `digiscope_cloud.ports`: nothing else imports a Google library, provisioning aside."""
