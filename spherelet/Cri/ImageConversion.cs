using System.Globalization;
using System.Text;
using Vks.Spherelet.Images;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Images and credentials in the words of CRI, both ways.</summary>
internal static class ImageConversion
{
    /// <summary>The image a request names.</summary>
    /// <exception cref="ImageException"><see cref="ImageFault.InvalidReference"/>: it names none.</exception>
    public static string Reference(V1.ImageSpec? image) =>
        image is { Image.Length: > 0 } ? image.Image : throw new ImageException(ImageFault.InvalidReference, "", "image is empty; name an image.");

    /// <summary>Images are the same for every handler that there is; one that there is not is a mistake.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>.</exception>
    public static void CheckHandler(V1.ImageSpec image)
    {
        if (!RuntimeHandlers.Names.Contains(image.RuntimeHandler))
        {
            throw new PodException(
                PodFault.InvalidConfig, image.Image, $"runtime_handler of {image.Image} is '{image.RuntimeHandler}'; there are {string.Join(", ", RuntimeHandlers.Names.Where(static name => name.Length > 0))}.");
        }
    }

    /// <summary>The credentials of a request, or null for none.</summary>
    /// <exception cref="ImageException"><see cref="ImageFault.InvalidCredentials"/>: auth is not base64 of user:password.</exception>
    public static RegistryCredentials? Credentials(V1.AuthConfig? auth)
    {
        if (auth is null)
        {
            return null;
        }

        (string username, string password) = (auth.Username, auth.Password);
        if (username.Length == 0 && auth.Auth.Length > 0)
        {
            (username, password) = Decode(auth.Auth);
        }

        return (username + password + auth.IdentityToken + auth.RegistryToken).Length == 0
            ? null
            : new RegistryCredentials
            {
                Username = username,
                Password = password,
                IdentityToken = auth.IdentityToken,
                RegistryToken = auth.RegistryToken,
                Registry = RegistryHost.Of(auth.ServerAddress),
            };
    }

    /// <summary>An image as lists show it.</summary>
    public static V1.Image Write(ImageSummary image)
    {
        var written = new V1.Image
        {
            Id = image.ImageId,
            RepoTags = { image.RepoTags },
            RepoDigests = { image.RepoDigests },
            Size = (ulong)image.SizeBytes,
            Spec = new V1.ImageSpec(),
            Pinned = image.Pinned,
        };

        // The kubelet checks runAsNonRoot with these: a number when the image has one, else the name.
        string user = image.User.Split(':')[0];
        if (long.TryParse(user, NumberStyles.None, CultureInfo.InvariantCulture, out long uid))
        {
            written.Uid = new V1.Int64Value { Value = uid };
        }
        else
        {
            written.Username = user;
        }

        return written;
    }

    private static (string Username, string Password) Decode(string auth)
    {
        var bytes = new byte[auth.Length];
        if (Convert.TryFromBase64String(auth, bytes, out int written)
            && Encoding.UTF8.GetString(bytes, 0, written).TrimEnd('\0').Split(':', 2) is [string username, string password])
        {
            return (username, password);
        }

        throw new ImageException(ImageFault.InvalidCredentials, "", "auth is not the base64 of user:password.");
    }
}
