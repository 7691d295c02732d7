"""What the operator and the trainer share: API types, the trainer's config, reports and error kinds."""
