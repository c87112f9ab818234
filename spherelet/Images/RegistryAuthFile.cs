using System.Text;
using System.Text.Json;

namespace Vks.Spherelet.Images;

/// <summary>Credentials in a file for as long as a registry tool needs them: never on a command line, where <c>ps</c> shows them.</summary>
internal sealed class RegistryAuthFile : IDisposable
{
    private RegistryAuthFile(string path) => FilePath = path;

    /// <summary>The file, mode 0600.</summary>
    public string FilePath { get; }

    /// <summary>The folder of such files; emptied when the store opens.</summary>
    public static string Folder(string runtimeDirectory) => Path.Combine(runtimeDirectory, "registry-auth");

    /// <summary>Writes the file.</summary>
    /// <exception cref="ImageException"><see cref="ImageFault.Unauthorized"/>: credentials of a kind that cannot be used.</exception>
    public static RegistryAuthFile Write(string runtimeDirectory, ImageReference image, RegistryCredentials credentials)
    {
        if (credentials.RegistryToken.Length > 0)
        {
            throw new ImageException(
                ImageFault.Unauthorized,
                image.ToString(),
                $"Cannot pull {image} with a bearer registry token: it would show in the host's process list. Give a user name and password, or an identity token.");
        }

        string folder = Folder(runtimeDirectory);
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        string auth = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credentials.Username}:{credentials.Password}"));
        AuthFileEntry entry = new(auth, credentials.IdentityToken.Length > 0 ? credentials.IdentityToken : null);
        AuthFileDocument document = new(new Dictionary<string, AuthFileEntry> { [image.Registry] = entry });
        string path = Path.Combine(folder, $"{Guid.NewGuid():N}.json");
        using FileStream file = new(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(JsonSerializer.SerializeToUtf8Bytes(document, ImageJson.Default.AuthFileDocument));
        return new RegistryAuthFile(path);
    }

    /// <inheritdoc/>
    public void Dispose() => File.Delete(FilePath);
}
