"""Every kind of learner, and every reference agent, on one small family of each kind."""
