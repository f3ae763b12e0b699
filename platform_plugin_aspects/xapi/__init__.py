"""Learning events: a batch of tracking events as xAPI statements, by edx-event-routing-backends' transformers."""
