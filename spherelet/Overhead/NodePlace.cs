namespace Vks.Spherelet.Overhead;

/// <summary>The Node of this host, and how to get there.</summary>
/// <param name="Node">Its name.</param>
/// <param name="Server">The API server, an https URL.</param>
/// <param name="AuthorityFile">Authorities that sign its certificate, PEM.</param>
/// <param name="CertificateFile">The kubelet's certificate and key in one file, PEM; it comes into being when the kubelet joins, and is renewed.</param>
internal sealed record NodePlace(string Node, Uri Server, string AuthorityFile, string CertificateFile);
