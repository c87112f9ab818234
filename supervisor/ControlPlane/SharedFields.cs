using System.Net;
using System.Text.RegularExpressions;
using Vks.Supervisor.Configuration;

namespace Vks.Supervisor.ControlPlane;

/// <summary>Fields that a member's settings and a control plane's have alike.</summary>
internal static partial class SharedFields
{
    /// <summary>An address and a port on loopback, or null when the field is not there.</summary>
    /// <param name="fields">The file.</param>
    /// <param name="name">The field.</param>
    public static IPEndPoint? Loopback(this YamlFields fields, string name)
    {
        string text = fields.Text(name, "");
        if (text.Length == 0)
        {
            return null;
        }

        if (IPEndPoint.TryParse(text, out IPEndPoint? endpoint) && endpoint.Port > 0 && IPAddress.IsLoopback(endpoint.Address))
        {
            return endpoint;
        }

        // Its certificate is for loopback: only this host's own programs ask there.
        fields.Fault(name, $"is '{text}'; give an address of loopback and a port, as 127.0.0.1:10270");
        return null;
    }

    /// <summary>Features to switch, as Kubernetes' programs take them, or empty.</summary>
    /// <param name="fields">The file.</param>
    /// <param name="name">The field.</param>
    public static string FeatureGates(this YamlFields fields, string name)
    {
        string text = fields.Text(name, "");
        if (text.Length > 0 && !Gates().IsMatch(text))
        {
            fields.Fault(name, $"is '{text}'; write it as NAME=true,OTHER=false");
        }

        return text;
    }

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9]*=(true|false)(,[A-Za-z][A-Za-z0-9]*=(true|false))*$")]
    private static partial Regex Gates();
}
