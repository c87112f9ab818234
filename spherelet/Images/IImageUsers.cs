namespace Vks.Spherelet.Images;

/// <summary>Knows which images are in use. The store knows names and files, not containers.</summary>
internal interface IImageUsers
{
    /// <summary>Asks for a look at this moment.</summary>
    /// <returns>Whether an image id is that of some container, running or not, or of an image volume of one.</returns>
    Func<string, bool> Snapshot();
}
