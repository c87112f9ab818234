namespace Vks.Spherelet.Images;

/// <summary>Reads the registry tool's words, which is all that it gives. Pure.</summary>
internal static class RegistryFault
{
    // First match wins: a registry that refuses often also says "not found" or "error reading manifest".
    private static readonly (ImageFault Fault, string[] Words)[] Signs =
    [
        (ImageFault.SignatureRejected, ["source image rejected", "signature was required"]),
        (ImageFault.Blocked, ["is blocked in"]),
        (ImageFault.BadSettings, ["loading registries configuration", "error loading trust policy", "error converting yaml", "unmarshaling json"]),
        (ImageFault.NoSpace, ["no space left on device", "disk quota exceeded"]),
        (ImageFault.DigestMismatch, ["digest did not match", "does not match", "digest mismatch", "digest of source image"]),
        (ImageFault.Unauthorized, ["unauthorized", "authentication required", "invalid username/password", "access to the resource is denied", "no basic auth credentials", "denied:", "403 (forbidden)", "forbidden", "status 401"]),
        (ImageFault.RegistryUnavailable, ["connection refused", "no such host", "i/o timeout", "connection reset", "tls handshake", "x509:", "server gave http response to https client", "network is unreachable", "no route to host", "temporary failure in name resolution", "server misbehaving", "toomanyrequests", "too many requests", "service unavailable", "bad gateway", "gateway timeout", "internal server error", "unexpected eof", ": eof", "status code 5", "deadline exceeded", "invalid status code from registry 5", "pinging container registry", "broken pipe"]),
        (ImageFault.NotFound, ["manifest unknown", "name unknown", "not found", "blob unknown", "404 (not found)", "status 404", "status code 404"]),
        (ImageFault.WrongPlatform, ["no image found in manifest list", "no image found in image index"]),
        (ImageFault.Corrupt, ["unsupported manifest", "unsupported docker v2", "invalid manifest", "error parsing manifest", "unknown manifest", "unrecognized manifest", "unsupported schema"]),
    ];

    /// <summary>The fault that the words mean.</summary>
    /// <param name="words">What the tool wrote.</param>
    /// <param name="image">The image, whose own name may hold any of the words that are looked for.</param>
    public static ImageFault Of(string words, ImageReference image)
    {
        words = words.Replace("/" + image.Path, "", StringComparison.Ordinal);
        foreach ((ImageFault fault, string[] signs) in Signs)
        {
            if (Array.Exists(signs, sign => words.Contains(sign, StringComparison.OrdinalIgnoreCase)))
            {
                return fault;
            }
        }

        return ImageFault.ToolFailed;
    }

    /// <summary>What a person can do about it.</summary>
    public static string Advice(ImageFault fault) => fault switch
    {
        ImageFault.Unauthorized => "Give credentials that may read it (an image pull secret), or check its name: some registries say this of unknown images.",
        ImageFault.NotFound => "Check repository, tag and digest.",
        ImageFault.RegistryUnavailable => "Check that the registry is up and reachable from this host, and registries.conf for mirrors and insecure registries.",
        ImageFault.DigestMismatch => "The registry, or something on the way, sent other bytes than it promised; push the image again.",
        ImageFault.Blocked => "Name another registry, or change registries.conf.",
        ImageFault.SignatureRejected => "Sign the image with a key that policy.json names, or change policy.json.",
        ImageFault.BadSettings => "Mend the file that is named.",
        _ => "See the tool's message.",
    };
}
