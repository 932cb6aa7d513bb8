"""Pictures, datasets, generated scenes, sliding windows."""
