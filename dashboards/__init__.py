"""What a marketer opens in the morning: Streamlit pages over analyzer.metrics and analyzer.health."""
