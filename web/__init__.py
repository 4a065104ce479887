"""The web page of app.py: what comes in, what is kept for whom, what is shown. Streamlit is imported here alone."""
