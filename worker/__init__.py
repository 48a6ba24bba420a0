"""thinkq: a private reasoning worker over MQTT. The public names are loaded when first used."""

__version__ = "0.1.0"
