"""Speaker verification with enrollment: enroll, verify and identify voices on your own machine."""
