"""The integration of Parcel, a reverse-ETL service, with assetry."""
