"""Who is who: the fleet's certificate authority, its signing key, and the packages that devices are enrolled with."""
