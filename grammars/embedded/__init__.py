"""The small model that ships: MiniLM's installed weights, our own decoder and LoRA adapter."""
