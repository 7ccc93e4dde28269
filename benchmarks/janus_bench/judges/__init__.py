"""Text models that grade answers: an endpoint, recorded replies, and a rule as a stand-in for tests."""
