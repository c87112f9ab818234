namespace Vks.Spherelet.Images;

/// <summary>Why something could not be done with an image.</summary>
internal enum ImageFault
{
    /// <summary>The reference is not a possible image name.</summary>
    InvalidReference = 1,

    /// <summary>Not in the store, or the registry knows no such image.</summary>
    NotFound = 2,

    /// <summary>The registry wants other credentials, or any.</summary>
    Unauthorized = 3,

    /// <summary>The registry cannot be reached or is in trouble; worth another try.</summary>
    RegistryUnavailable = 4,

    /// <summary>What came does not match its digest.</summary>
    DigestMismatch = 5,

    /// <summary>A manifest, config or layer is malformed or breaks a rule.</summary>
    Corrupt = 6,

    /// <summary>The image has nothing for this host's architecture.</summary>
    WrongPlatform = 7,

    /// <summary>No space on the image file system.</summary>
    NoSpace = 8,

    /// <summary>A host tool is missing or failed; the message has its words.</summary>
    ToolFailed = 9,

    /// <summary>This host's registries.conf blocks the registry.</summary>
    Blocked = 10,

    /// <summary>This host's signature policy does not accept the image.</summary>
    SignatureRejected = 11,

    /// <summary>A settings file of the host for registries, signatures or credentials cannot be read.</summary>
    BadSettings = 12,

    /// <summary>The credentials of the request are not of any form that there is.</summary>
    InvalidCredentials = 13,
}

/// <summary>Something could not be done with an image. The message says what was tried, on what, what came back, what to do.</summary>
internal sealed class ImageException(ImageFault fault, string image, string message, Exception? cause = null)
    : Exception(message, cause)
{
    /// <summary>The kind of fault.</summary>
    public ImageFault Fault { get; } = fault;

    /// <summary>The reference or id it is about.</summary>
    public string Image { get; } = image;
}
