"""How a spectrogram becomes an image for networks that were trained on photographs: by extractor and network alike."""

CONTRAST = 60.0  # of standardised bands: about the deviation of ImageNet's pixels once their mean is off
