"""Speed: throughput against others doing the same work on the same cores."""
