"""What browsers are sent: endpoints, and what pages need to embed a dashboard."""
