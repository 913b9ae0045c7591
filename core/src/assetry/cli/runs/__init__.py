"""Commands about runs: plan, carry out, stop and look at them."""
