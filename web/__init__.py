"""The web page of app.py: inputs, the visitor's session, results. Streamlit is imported here alone."""
