"""Our model beside others, on the same clips."""
