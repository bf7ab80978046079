"""The small model that ships: MiniLM's weights from the installed package, our own decoder and LoRA adapter."""
