"""Speed code, each kernel beside the plain form that it must equal."""
