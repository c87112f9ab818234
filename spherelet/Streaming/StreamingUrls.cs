using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Vks.Spherelet.Streaming;

/// <summary>Makes the URLs that Exec, Attach and PortForward answer with.</summary>
internal sealed class StreamingUrls(IServer server, StreamingTokens tokens)
{
    /// <summary>A URL that is good for one connection within <see cref="StreamingTokens.Lifetime"/>.</summary>
    /// <returns>Null when too many were given out and not used.</returns>
    /// <exception cref="InvalidOperationException">The server does not listen yet.</exception>
    public string? TryCreate(StreamRequest request) =>
        tokens.TryIssue(request) is { } token ? $"{BaseAddress()}/{request.Verb}/{token}" : null;

    private string BaseAddress()
    {
        ICollection<string> addresses = server.Features.Get<IServerAddressesFeature>()?.Addresses ?? [];
        foreach (string address in addresses)
        {
            if (Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) && IPAddress.TryParse(uri.Host.Trim('[', ']'), out IPAddress? ip))
            {
                // The kubelet is on this node: any address means the loopback one to it.
                bool any = ip.Equals(IPAddress.Any) || ip.Equals(IPAddress.IPv6Any);
                return any ? $"http://127.0.0.1:{uri.Port}" : $"http://{uri.Host}:{uri.Port}";
            }
        }

        throw new InvalidOperationException("The streaming server does not listen on a TCP address.");
    }
}
